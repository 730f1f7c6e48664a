/** Name of the Redis user that workers on any machine log in as. */
export const WORKER = 'worker'

/**
 * What BullMQ does for a worker. Its scripts run with the rights of their caller, so their commands are here too. Nothing that lists, looks
 * at or changes the server as a whole, but INFO: BullMQ reads the server's version there.
 */
const COMMANDS = [
  ...['ping', 'hello', 'info', 'client|setname', 'evalsha', 'eval', 'time', 'multi', 'exec', 'discard'],
  ...['get', 'set', 'del', 'unlink', 'exists', 'type', 'incr', 'incrby', 'rename'],
  ...['persist', 'pexpire', 'pexpireat', 'expire', 'pttl'],
  ...['hget', 'hmget', 'hgetall', 'hset', 'hmset', 'hdel', 'hexists', 'hincrby', 'hlen'],
  ...['lindex', 'llen', 'lpop', 'lpos', 'lpush', 'lrange', 'lrem', 'lset', 'ltrim', 'rpop', 'rpush', 'rpoplpush'],
  ...['sadd', 'scard', 'sismember', 'smembers', 'srem'],
  ...['zadd', 'zcard', 'zcount', 'zlexcount', 'zpopmin', 'bzpopmin', 'zrange', 'zrangebylex', 'zrangebyscore', 'zrem'],
  ...['zremrangebyrank', 'zremrangebyscore', 'zrevrange', 'zrevrangebyscore', 'zscore'],
  ...['xadd', 'xdel', 'xlen', 'xrange', 'xread', 'xtrim'],
]

/**
 * The arguments of `ACL SETUSER` for workers: the whole user, replacing what was there. `keys`: patterns of the queues that they may work on.
 * `clientSetInfo`: CLIENT SETINFO exists from Redis 7.2; naming an unknown sub-command is an error.
 */
export function workerUserRules(
  secretSha256: string,
  { keys, clientSetInfo }: { keys: readonly string[]; clientSetInfo: boolean },
): string[] {
  if (!/^[0-9a-f]{64}$/.test(secretSha256)) throw new RangeError('secret: expected its SHA-256 as 64 lower-case hexadecimal digits')
  return [
    WORKER,
    'reset',
    'on',
    `#${secretSha256}`,
    '-@all',
    ...COMMANDS.map((command) => `+${command}`),
    ...(clientSetInfo ? ['+client|setinfo'] : []),
    ...keys.map((pattern) => `~${pattern}`),
  ]
}
