import { expect, test } from 'vitest'
import type { Bus } from './bus.ts'

/** One site's Redis as a test sees it from the manager's side. */
export interface BusUnderTest {
  open(): Promise<Bus>
  setState(jws: string): Promise<void>
  nudge(): Promise<void>
  addCommand(jws: string): Promise<void>
  commandsLeft(): Promise<number>
  events(): Promise<readonly string[]>
  presence(): Promise<string | undefined>
}

/** What every `Bus` must do; `make` gives a fresh, empty site each time. */
export function busContract(make: () => Promise<BusUnderTest>): void {
  test('has no state until there is one', async () => {
    const site = await make()
    const bus = await site.open()
    expect(await bus.readState()).toBeUndefined()
    await site.setState('a.b.c')
    expect(await bus.readState()).toBe('a.b.c')
    bus.close()
  })

  test('nudges', async () => {
    const site = await make()
    const bus = await site.open()
    await new Promise<void>((resolve) => {
      void bus.onNudge(resolve).then(site.nudge)
    })
    bus.close()
  })

  test('takes events in order', async () => {
    const site = await make()
    const bus = await site.open()
    await bus.sendEvents(['{"id":1}', '{"id":2}'])
    await bus.sendEvents(['{"id":3}'])
    expect(await site.events()).toEqual(['{"id":1}', '{"id":2}', '{"id":3}'])
    bus.close()
  })

  test('shows presence', async () => {
    const site = await make()
    const bus = await site.open()
    await bus.sendPresence('{"at":1}', 35)
    expect(await site.presence()).toBe('{"at":1}')
    bus.close()
  })

  test('makes its group when there is none, says so, and then hands out what lay there before', async () => {
    const site = await make()
    await site.addCommand('one')
    const bus = await site.open()
    expect(await bus.readCommands('pending', 1)).toEqual({ commands: [], lost: true })
    expect(await bus.readCommands('pending', 1)).toEqual({ commands: [], lost: false })
    expect((await bus.readCommands('new', 1)).commands.map((one) => one.jws)).toEqual(['one'])
    bus.close()
  })

  test('hands an order out again to the next session until it is settled, then deletes it', async () => {
    const site = await make()
    const first = await site.open()
    await first.readCommands('pending', 1)
    await site.addCommand('one')
    expect((await first.readCommands('new', 100)).commands).toHaveLength(1)
    first.close()
    const second = await site.open()
    const { commands } = await second.readCommands('pending', 1)
    expect(commands.map((one) => one.jws)).toEqual(['one'])
    await second.settleCommands(commands.map((one) => one.entry))
    expect(await second.readCommands('pending', 1)).toEqual({ commands: [], lost: false })
    expect(await site.commandsLeft()).toBe(0)
    second.close()
  })

  test('wakes a waiting reader', async () => {
    const site = await make()
    const bus = await site.open()
    await bus.readCommands('new', 1)
    const waiting = bus.readCommands('new', 5_000)
    await site.addCommand('one')
    expect((await waiting).commands.map((one) => one.jws)).toEqual(['one'])
    bus.close()
  })

  test('rejects every call once it is closed, waiting ones too', async () => {
    const site = await make()
    const bus = await site.open()
    await bus.readCommands('new', 1)
    const waiting = expect(bus.readCommands('new', 5_000)).rejects.toThrow()
    bus.close()
    await waiting
    await expect(bus.readState()).rejects.toThrow()
    await expect(bus.sendEvents(['{}'])).rejects.toThrow()
  })
}
