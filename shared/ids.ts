import { v7 } from 'uuid'

/** Makes a sortable id (UUIDv7, RFC 9562 §5.7). Injected, so that tests may count instead. */
export type NewId = () => string

export const newId: NewId = () => v7()
