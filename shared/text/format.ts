/** `0.4 s`, `12.3 s`, `2 min 05 s`. */
export function formatMs(ms: number): string {
  const seconds = ms / 1000
  if (seconds < 99.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
}

/** `512 B`, `1.4 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** `▓` up to `fraction` (0..1) of `width` characters, `░` behind. */
export function formatProgress(fraction: number, width: number): string {
  const done = Math.round(Math.min(1, Math.max(0, fraction)) * width)
  return '▓'.repeat(done) + '░'.repeat(width - done)
}
