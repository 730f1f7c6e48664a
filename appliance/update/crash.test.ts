import { expect, test } from 'vitest'
import { live, STORIES } from './fake-life.ts'
import { makeKey } from './fake-machine.ts'

/** Some of the points, each story others; test/e2e/update-deaths.deep.ts visits all of them. */
const STRIDE = 9

for (const [offset, story] of STORIES.entries())
  test(`a release that ${story} ends the same when the daemon or the power dies on the way`, async () => {
    const key = makeKey('manager')
    const { points } = await live(key, story)
    expect(points).toBeGreaterThan(20)
    for (let dieAt = 1 + offset; dieAt <= points; dieAt += STRIDE) await live(key, story, dieAt, dieAt % 2 === 0 ? 'power' : 'daemon')
  }, 30_000)

test('a death at a point that no life reaches is not told as one', async () => {
  expect(await live(makeKey('manager'), 'holds', 1_000)).toMatchObject({ died: false })
})
