import type { BoardSpec } from './boards.ts'

/**
 * Kernel parameters of every board. A panic or a defect in the kernel restarts the box, and GRUB counts it. `gpt`: when power failed while
 * the first partition table was rewritten (first boot does that once), the kernel takes the second one, which it otherwise does not look at.
 */
const COMMON = ['gpt', 'quiet', 'loglevel=3', 'panic=10', 'oops=panic', 'vt.global_cursor_default=0', 'consoleblank=0']

export function kernelParameters({ consoles }: Pick<BoardSpec, 'consoles'>): string {
  return [...consoles.map((console) => `console=${console}`), ...COMMON].join(' ')
}
