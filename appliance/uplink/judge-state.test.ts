import { PROTOCOL } from '@bridgehead/shared/model/state.ts'
import { expect, test } from 'vitest'
import { type Applied, judgeState } from './judge-state.ts'
import { SITE, stateOf } from './samples.ts'

const OTHER = '01900000-0000-7000-8000-00000000000b'
const APPLIED: Applied = { revision: 5, payload: 'five' }

for (const { document, value, payload = 'x', applied, verdict, why } of [
  { document: 'the first state', value: stateOf(), applied: undefined, verdict: 'new' },
  { document: 'a younger revision', value: stateOf({ revision: 6 }), applied: APPLIED, verdict: 'new' },
  { document: 'the applied one again', value: stateOf({ revision: 5 }), payload: 'five', applied: APPLIED, verdict: 'same' },
  { document: 'an older revision', value: stateOf({ revision: 4 }), applied: APPLIED, verdict: 'refused', why: /4 is older than 5/ },
  {
    document: 'the same revision with other content',
    value: stateOf({ revision: 5 }),
    applied: APPLIED,
    verdict: 'refused',
    why: /other content/,
  },
  { document: "another site's state", value: stateOf({ site: OTHER }), applied: undefined, verdict: 'refused', why: /meant for site/ },
  {
    document: 'a newer protocol',
    value: stateOf({ protocol: PROTOCOL + 1 }),
    applied: undefined,
    verdict: 'refused',
    why: /must be updated/,
  },
  { document: 'a bad field', value: stateOf({ lans: [{ name: 'X' }] }), applied: undefined, verdict: 'refused', why: /lans\.0/ },
  { document: 'no object', value: 'hello', applied: undefined, verdict: 'refused', why: /does not fit/ },
  { document: 'an unknown field from a newer manager', value: { ...stateOf(), colour: 'red' }, applied: undefined, verdict: 'new' },
])
  test(`${document}: ${verdict}`, () => {
    const got = judgeState(value, payload, { site: SITE, applied })
    expect(got.kind).toBe(verdict)
    if (got.kind === 'refused') expect(got.why).toMatch(why ?? /never/)
  })
