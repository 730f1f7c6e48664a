import type { RedisServer } from '@bridgehead/manager/engines/bus/redis.ts'
import { systemClock } from '@bridgehead/shared/clock.ts'

/** kill -9 once nothing that it took is in its memory alone (it holds writes back for up to 2 s while the disk syncs); resolves when it is back. */
export async function killRedis(redis: RedisServer): Promise<void> {
  const admin = redis.connect()
  const said = async (section: string, field: RegExp) => Number(field.exec(await admin.info(section))?.[1])
  while ((await said('persistence', /aof_buffer_length:(\d+)/)) > 0) await systemClock.sleep(20)
  const back = new Promise<void>((resolve) => {
    const forget = redis.onRestart(() => {
      forget()
      resolve()
    })
  })
  process.kill(await said('server', /process_id:(\d+)/), 'SIGKILL')
  await back
  admin.disconnect()
}
