/**
 * QEMU's arguments for a raw disk all of whose writes are kept in `log` (which exists, and is empty or begun anew). Neither file is synced:
 * only the order counts. Nothing is discarded and no zeros are written by that name, because blklogwrites of QEMU 7.2 takes the place for
 * such zeros after it has written their head, and another entry may stand there by then.
 */
export function loggedDrive(id: string, disk: string, log: string): string[] {
  const file = (name: string, path: string) => [
    '-blockdev',
    `driver=file,node-name=${name},filename=${path},cache.no-flush=on,discard=ignore`,
  ]
  return [
    ...file(`${id}-file`, disk),
    ...file(`${id}-log`, log),
    ...[
      '-blockdev',
      `driver=blklogwrites,node-name=${id},file=${id}-file,log=${id}-log,log-sector-size=512,discard=ignore,detect-zeroes=off`,
    ],
  ]
}
