/** Makes and checks `/bucket/{sha256}?expires=&name=&signature=`. */
export interface Presigner {
  sign(sha256: string, options: { expiresAt: number; name?: string | undefined }): string
  /** `url` is absolute or a path. `now` in epoch ms. */
  verify(url: string, now: number): { ok: true; sha256: string; name?: string | undefined } | { ok: false; why: string }
}

/** `key`: at least 32 secret bytes. */
export declare function createPresigner(key: Uint8Array): Presigner
/** Reads the secret at `path`, or makes one there (mode 0600). */
export declare function presignKeyIn(path: string): Promise<Uint8Array>
