import { z } from 'zod'

const Time = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'expected a time of day such as 02:30')

/** When a site may be interrupted. Past midnight where `to` lies before `from`; the whole day where they are equal. */
export const MaintenanceWindow = z.object({
  /** Days on which the window opens, Sunday is 0. Absent: every day. */
  days: z.array(z.int().min(0).max(6)).min(1).max(7).optional(),
  from: Time,
  to: Time,
  /** IANA name, such as Europe/Berlin. Absent, or unknown to this side: UTC. */
  timeZone: z.string().max(64).optional(),
})
export type MaintenanceWindow = z.infer<typeof MaintenanceWindow>
/** The same for people's input: an unknown time zone or key is an error. */
export const NewMaintenanceWindow = z.strictObject({
  ...MaintenanceWindow.shape,
  timeZone: MaintenanceWindow.shape.timeZone.refine(
    (zone) => zone === undefined || isTimeZone(zone),
    'expected a time zone such as Europe/Berlin',
  ),
})

/** True while the window is open at `now` (epoch ms); a site without a window is always open. */
export function isOpen(window: MaintenanceWindow | undefined, now: number): boolean {
  if (window === undefined) return true
  const { day, minute } = localTime(now, window.timeZone)
  const from = minuteOf(window.from)
  const to = minuteOf(window.to)
  const opens = (on: number) => window.days === undefined || window.days.includes(on)
  if (from < to) return opens(day) && minute >= from && minute < to
  return (opens(day) && minute >= from) || (opens((day + 6) % 7) && minute < to)
}

/** When it opens next (epoch ms, to the minute); `now` while it is open. Walks minutes, since clocks change twice a year. */
export function opensAt(window: MaintenanceWindow | undefined, now: number): number {
  if (isOpen(window, now)) return now
  let at = Math.ceil(now / MINUTE_MS) * MINUTE_MS
  while (!isOpen(window, at)) at += MINUTE_MS
  return at
}

const MINUTE_MS = 60_000
const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

function isTimeZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone })
    return true
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

const formats = new Map<string, Intl.DateTimeFormat>()
function localTime(now: number, zone = 'UTC'): { day: number; minute: number } {
  let format = formats.get(zone)
  if (format === undefined) {
    const timeZone = isTimeZone(zone) ? zone : 'UTC'
    format = new Intl.DateTimeFormat('en-GB', { timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
    formats.set(zone, format)
  }
  const parts = Object.fromEntries(format.formatToParts(now).map(({ type, value }) => [type, value]))
  return { day: WEEKDAYS.indexOf(parts.weekday ?? ''), minute: Number(parts.hour) * 60 + Number(parts.minute) }
}

function minuteOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3))
}
