/** Where the daemon lies in a slot. */
export const APP_DIRECTORY = 'usr/lib/bridgehead'
/** Written anew by each build. */
const CHANGING = ['main.mjs', 'release.json']

/**
 * mksquashfs' sort list (`path priority`, -32768 to 32767, a higher one lies earlier): what changes with the daemon alone lies last, so that
 * two versions are the same but for their ends. `app`: names of the daemon's files.
 */
export function formatSortList(app: readonly string[], documents: readonly string[] = []): string {
  const last = app.filter((name) => CHANGING.includes(name))
  const before = app.filter((name) => !CHANGING.includes(name))
  return [
    ...before.map((name) => `${APP_DIRECTORY}/${name} -100`),
    ...documents.map((path) => `${path} -200`),
    ...last.map((name) => `${APP_DIRECTORY}/${name} -300`),
  ]
    .map((line) => `${line}\n`)
    .join('')
}
