import type { BoardSpec } from './boards.ts'

/** Kernel parameters of every board. A panic or a defect in the kernel restarts the box, and GRUB counts it. */
const COMMON = ['quiet', 'loglevel=3', 'panic=10', 'oops=panic', 'vt.global_cursor_default=0', 'consoleblank=0']

export function kernelParameters({ consoles }: Pick<BoardSpec, 'consoles'>): string {
  return [...consoles.map((console) => `console=${console}`), ...COMMON].join(' ')
}
