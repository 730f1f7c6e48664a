import { steppedClock } from '@bridgehead/shared/clock.ts'
import { expect, test } from 'vitest'
import { createGate } from './gate.ts'

function probing() {
  const clock = steppedClock()
  const said: string[] = []
  let xid = 0
  const gate = createGate({
    clock,
    random: () => {
      xid += 1
      return xid / 0x1_0000_0000
    },
    probeMs: 3000,
    sendProbe: (id) => said.push(`probe ${id}`),
    opened: (again) => said.push(again ? 'still alone' : 'opened'),
    found: (server, blocked) => said.push(`found ${server}${blocked ? ', blocked' : ''}`),
  })
  return { clock, said, gate }
}

test('opens when two probes got no answer', () => {
  const { clock, said, gate } = probing()
  gate.start(false)
  clock.advance(2999)
  expect(gate.state).toBe('probing')
  clock.advance(1)
  expect(gate.state).toBe('open')
  expect(said).toEqual(['probe 1', 'probe 1', 'opened'])
})

test('stays shut when a server answers, asks every minute, and opens when it has gone', () => {
  const { clock, said, gate } = probing()
  gate.start(false)
  expect(gate.probes(1)).toBe(true)
  gate.heard(9)
  expect(gate.state).toBe('blocked')
  clock.advance(3000 + 60_000)
  gate.heard(9)
  clock.advance(3000)
  expect(gate.state).toBe('blocked')
  clock.advance(60_000 + 3000)
  expect(gate.state).toBe('open')
  expect(said.filter((line) => line.startsWith('found'))).toEqual(['found 9, blocked', 'found 9, blocked'])
})

test('opens at once after a short absence, and goes on when another server turns up', () => {
  const { clock, said, gate } = probing()
  gate.start(true)
  expect(gate.state).toBe('open')
  gate.heard(9)
  clock.advance(3000)
  expect(gate.state).toBe('open')
  expect(said).toEqual(['opened', 'probe 1', 'found 9', 'probe 1'])
})

test('looks around every five minutes while open', () => {
  const { clock, said, gate } = probing()
  gate.start(false)
  clock.advance(3000 + 300_000 + 3000)
  expect(said).toEqual(['probe 1', 'probe 1', 'opened', 'probe 2', 'probe 2', 'still alone'])
})

test('a suspicion makes it probe now, once', () => {
  const { clock, said, gate } = probing()
  gate.start(true)
  clock.advance(10_000)
  gate.suspect()
  gate.suspect()
  expect(said.filter((line) => line === 'probe 2')).toHaveLength(1)
})

test('stopped, it does nothing more', () => {
  const { clock, said, gate } = probing()
  gate.start(false)
  gate.stop()
  clock.advance(1_000_000)
  expect(said).toEqual(['probe 1'])
})
