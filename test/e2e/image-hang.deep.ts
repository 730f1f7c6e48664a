import { formatMs } from '@bridgehead/shared/text/format.ts'
import { expect, test } from 'vitest'
import { applianceImage, hangingImage } from '../lab/box/images.ts'
import { awaitFact, enrolledBox, rollOut, withHome } from './image-rig.ts'
import { say } from './rig.ts'

test('a release that hangs before its daemon is left by the watchdog, three times, and then for good', async () => {
  const [first, hung] = [await applianceImage({ board: 'x86_64' }), await hangingImage('0.1.1')]
  await withHome('two-cards', async (home) => {
    const box = await enrolledBox(home, { board: 'bios-ahci', image: first.image })
    const resets = () => box.events.filter(({ event }) => event === 'WATCHDOG').length
    const began = Date.now()
    await rollOut(home, hung)
    const { data } = await awaitFact(
      home.api,
      'the hanging release to be rolled back',
      (event) => event.kind === 'appliance.update' && event.data.phase === 'rolled-back' && event.data.version === hung.version,
      900_000,
    )
    say(`told to take a release that hangs: back on the old one after ${formatMs(Date.now() - began)}, ${resets()} resets by the watchdog`)
    expect(resets()).toBe(3)
    expect(String(data.why)).toContain('did not come up')
    expect((await home.online(60_000, box)).version).toBe(first.version)
  })
})
