/** Where a server listens. `host` without brackets. */
export interface Listen {
  host: string
  port: number
}

/** The manager's settings. */
export interface Config {
  /** Absolute path. */
  data: string
  http: Listen
  https: Listen
  publicUrl: string
  overlay: { on: boolean; port: number; endpoint: string; interfaceName: string }
  uplinkPort: number
  redis: { port: number; url?: string | undefined }
  /** Absolute path. */
  bucket: string
  log: string
}

/** Reads BRIDGEHEAD_* and REDIS_URL. Throws ConfigError, which names every wrong variable and what was expected. */
export declare function readConfig(env: Readonly<Record<string, string | undefined>>): Config
