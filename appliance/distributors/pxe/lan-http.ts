import type { Ipv4 } from '@bridgehead/shared/model/address.ts'

/** A request on the LAN's HTTP port that is not for a file, as the boot routes see it. */
export interface LanRequest {
  /** Upper case: `GET`, `HEAD`, `POST`. A route answers HEAD as it would GET; the server leaves the body away. */
  method: string
  /** Decoded path without the query, such as `/boot/script`. Never empty; starts with `/`. */
  path: string
  query: URLSearchParams
  client: Ipv4
  /** The appliance's own address that was asked: what to put into URLs for this client. */
  server: Ipv4
  /** The request's body as UTF-8 text. Rejects with BodyTooLarge (answered with 413) past 256 KiB. */
  body: () => Promise<string>
}

/** Headers that are not set here: Content-Length and Date (always the server's), Content-Type (`text/plain; charset=utf-8` unless given). */
export interface LanAnswer {
  status: number
  headers?: Record<string, string>
  body?: string
}

/** Undefined: not mine; the server answers 404. */
export type LanRoutes = (request: LanRequest) => Promise<LanAnswer | undefined>

/** What lies behind `/loaders/{name}` (kind `loader`, id = name) and `/artifacts/{sha256}/{name}` (kind `artifact`, id = sha256). */
export type LanFileKind = 'loader' | 'artifact'

/** Whole and checked bytes on disk. `sha256` (64 hexadecimal digits) becomes the ETag. */
export interface LanFile {
  path: string
  size: number
  sha256: string
}

/** How far a file's transfer came. `bytes` of this response so far, `total` of this response (a range is shorter than the file). */
export interface LanTransfer {
  path: string
  client: Ipv4
  kind: LanFileKind
  id: string
  bytes: number
  total: number
  ms: number
}

/** Limit of a request's body in bytes. */
export const BODY_LIMIT = 262_144

export class BodyTooLarge extends Error {
  readonly code = 'body_too_large'
}
