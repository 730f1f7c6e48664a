/** Where the daemon lies in a slot. */
export const APP_DIRECTORY = 'usr/lib/bridgehead'
/** Written anew by each build. */
const CHANGING = ['main.mjs', 'release.json']

/**
 * mksquashfs' sort list (`path priority`, -32768 to 32767, a higher one lies earlier): what changes with the daemon alone lies last, so that
 * two versions are the same but for their ends. `app`: names of the daemon's files. `scripts`, `documents`: paths of the files that stand in this
 * source, and of those that a build writes: one byte more in a file, and all that lies behind it is packed into other blocks.
 */
export function formatSortList(app: readonly string[], documents: readonly string[] = [], scripts: readonly string[] = []): string {
  const last = app.filter((name) => CHANGING.includes(name))
  const before = app.filter((name) => !CHANGING.includes(name))
  return [
    ...before.map((name) => `${APP_DIRECTORY}/${name} -100`),
    ...scripts.map((path) => `${path} -150`),
    ...documents.map((path) => `${path} -200`),
    ...last.map((name) => `${APP_DIRECTORY}/${name} -300`),
  ]
    .map((line) => `${line}\n`)
    .join('')
}
