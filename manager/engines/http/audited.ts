import type { Context } from 'hono'

/** Who made a change, as the audit log names them. `appliance`: a box that enrolled; `id` is its site's. */
export interface AuditActor {
  kind: 'user' | 'key' | 'appliance'
  id: string
  name: string
}
/** What the audit log cannot see by itself: the sender of an open operation. */
export interface AuditHint {
  organisation: string
  actor: AuditActor
  target?: { id?: string; name?: string } | undefined
}

/** For the handler of an open operation, once it knows whose it was. */
export function noteSender(c: Context, hint: AuditHint): void {
  c.set('audit', hint)
}
export function notedSender(c: Context): AuditHint | undefined {
  return c.get('audit') as AuditHint | undefined
}
