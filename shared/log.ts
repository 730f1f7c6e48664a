import { pino } from 'pino'

type Fields = Record<string, unknown>

/** `log.info('dhcp.ack', { mac, ip })`: an event name and its fields, no prose, no secrets. Names are explained in the folder's README. */
export interface Log {
  debug(event: string, fields?: Fields): void
  info(event: string, fields?: Fields): void
  warn(event: string, fields?: Fields): void
  error(event: string, fields?: Fields): void
  child(fields: Fields): Log
}

/** One JSON object a line on `stream` (standard error unless told). `level` is a pino level: debug, info, warn, error, silent. */
export function createLog({
  name,
  level = 'info',
  stream = process.stderr,
}: {
  name: string
  level?: string
  stream?: { write(line: string): void }
}): Log {
  const logger = pino(
    {
      name,
      level,
      base: { name },
      messageKey: 'event',
      serializers: { error: pino.stdSerializers.err },
      redact: { paths: REDACTED, censor: '[secret]' },
    },
    stream,
  )
  return wrap(logger)
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silentLog }

const REDACTED = ['token', 'password', 'secret', 'privateKey', 'key', '*.token', '*.password', '*.secret', '*.privateKey']

function wrap(logger: pino.Logger): Log {
  return {
    debug: (event, fields) => logger.debug(fields ?? {}, event),
    info: (event, fields) => logger.info(fields ?? {}, event),
    warn: (event, fields) => logger.warn(fields ?? {}, event),
    error: (event, fields) => logger.error(fields ?? {}, event),
    child: (fields) => wrap(logger.child(fields)),
  }
}
