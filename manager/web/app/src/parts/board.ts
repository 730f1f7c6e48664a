import type { Board } from '@bridgehead/shared/model/release.ts'

/** Kinds of box, in words. */
export const BOARDS: readonly { value: Board; label: string }[] = [
  { value: 'x86_64', label: 'PC (x86_64, BIOS or UEFI)' },
  { value: 'rpi', label: 'Raspberry Pi 3, 4, 5' },
]

const SHORT: Record<string, string> = { x86_64: 'PC (x86_64)', rpi: 'Raspberry Pi' }
export const boardName = (board: string | undefined) => SHORT[board ?? ''] ?? board ?? 'unknown board'
