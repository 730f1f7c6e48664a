export interface TlsIdentity {
  /** PEM. */
  key: string
  cert: string
  /** SHA-256 of the certificate, 64 lower-case hexadecimal digits. */
  fingerprint: string
}

/** The self-signed certificate in `directory`, made there once (key file 0600) for `hosts` (names and IP addresses) and loopback. */
export declare function selfSignedIdentity(options: { directory: string; hosts: readonly string[]; now: number }): Promise<TlsIdentity>
/** SHA-256 of a PEM certificate's DER form, 64 lower-case hexadecimal digits. */
export declare function fingerprint256(cert: string): string
