import { TRIAL_MS } from './decide.ts'
import { BAD, fresh, GOOD, ILL, LATER, later, marks, OFFLINE, open, testDecisions, trial, WELL, wants } from './fake-situation.ts'

// The way of a release: fetched, switched to, tried, kept or left.
testDecisions({
  'a wanted release': [
    { when: 'is new', given: { wanted: wants(GOOD) }, step: 'fetch' },
    { when: 'is half fetched', given: { wanted: wants(GOOD), open: open('fetching'), marks: marks('AB 1/0 0/0') }, step: 'fetch' },
    { when: 'lies in the slot', given: { wanted: wants(GOOD), open: open('written') }, step: 'switch' },
    {
      when: 'lies in the slot outside the window',
      given: { wanted: wants(GOOD), open: open('written'), windowOpen: false },
      step: 'wait: waits for the maintenance window',
    },
    { when: 'is fetched outside the window too', given: { wanted: wants(GOOD), windowOpen: false }, step: 'fetch' },
    {
      when: 'lay in the slot, which was marked bad since',
      given: { wanted: wants(GOOD), open: open('written'), marks: marks('AB 1/0 0/0') },
      step: 'fetch',
    },
    {
      when: 'takes the place of another one that lies in the slot',
      given: { wanted: { release: 'r2', verdict: GOOD, ended: undefined, told: undefined }, open: open('written') },
      step: 'fetch',
    },
    { when: 'is refused', given: { wanted: wants(BAD) }, step: 'refuse: it is for rpi' },
    { when: 'was refused for the same reason before', given: { wanted: wants(BAD, undefined, 'it is for rpi') }, step: 'idle' },
    {
      when: 'was refused for another reason before',
      given: { wanted: wants(BAD, undefined, 'it expired') },
      step: 'refuse: it is for rpi',
    },
    {
      when: 'may have expired, by a clock that nobody confirmed',
      given: { wanted: wants(LATER) },
      step: 'wait: nobody confirmed the clock',
    },
    { when: 'runs already', given: { wanted: wants(GOOD), version: '1.1.0' }, step: 'already-runs' },
    { when: 'was committed and runs', given: { wanted: wants(GOOD, 'committed'), version: '1.1.0' }, step: 'idle' },
    { when: 'was committed, rotted, and the old one runs', given: { wanted: wants(GOOD, 'committed') }, step: 'fetch' },
    { when: 'did not hold here', given: { wanted: wants(GOOD, 'rolled-back') }, step: 'idle' },
    {
      when: 'comes while the data partition keeps nothing',
      given: { wanted: wants(GOOD), data: 'the data partition is read-only' },
      step: 'wait: no update while the data partition is read-only: what became of it could not be remembered',
    },
    { when: 'comes when the services are ill: perhaps it heals them', given: { wanted: wants(GOOD), health: ILL }, step: 'fetch' },
  ],
  'a switch': [
    {
      when: 'was recorded, and the loader knows nothing of it (killed in between)',
      given: { wanted: wants(GOOD), open: open('switched') },
      step: 'switch',
    },
    {
      when: 'was recorded, and the power went before the loader knew',
      given: { wanted: wants(GOOD), open: open('switched'), bootId: later },
      step: 'switch',
    },
    { when: 'is known to the loader', given: { wanted: wants(GOOD), open: open('switched'), marks: marks('BA 1/0 1/0') }, step: 'reboot' },
    {
      when: 'is known to the loader, and the window has shut',
      given: { wanted: wants(GOOD), open: open('switched'), marks: marks('BA 1/0 1/0'), windowOpen: false },
      step: 'reboot',
    },
    {
      when: 'was known to the loader, which started the old system all the same',
      given: { open: open('switched'), marks: marks('BA 1/1 1/0'), bootId: later },
      step: 'record-roll-back: the loader did not start system B (1.1.0), although it was told to',
    },
    {
      when: 'led to three starts that nobody marked good',
      given: { open: open('switched'), marks: marks('BA 1/1 1/3'), bootId: later },
      step: 'record-roll-back: system B (1.1.0) did not come up 3 times',
    },
    {
      when: 'led to one start, after which the loader took the old one',
      given: { open: open('switched'), marks: marks('BA 1/1 1/1'), bootId: later },
      step: 'record-roll-back: system B (1.1.0) did not come up: the loader tried it once and then passed it over',
    },
    {
      when: 'led to a system that could not even write down why it gave up',
      given: { open: open('switched'), marks: marks('AB 1/1 0/0'), bootId: later },
      step: 'record-roll-back: system B (1.1.0) gave up by itself',
    },
    {
      when: 'led to a trial that ended in the old system',
      given: { open: open('trying'), marks: marks('BA 1/1 1/3'), bootId: later },
      step: 'record-roll-back: system B (1.1.0) was started 3 times and did not prove itself',
    },
    {
      when: 'led to a trial that was given up with a reason',
      given: { open: open('trying', { why: 'dhcp: dead' }), marks: marks('AB 1/1 0/0'), bootId: later },
      step: 'record-roll-back: dhcp: dead',
    },
  ],
  'a trial': [
    { when: 'begins', given: { ...trial, open: open('switched') }, step: 'begin-trial' },
    { when: 'begins in a system that took over before its time', given: { ...trial, open: open('written') }, step: 'begin-trial' },
    {
      when: 'is well, but not long enough',
      given: { ...trial, open: open('trying'), uptimeMs: 40_000, health: fresh(29_000) },
      step: 'wait: on trial: healthy for 29 s only',
    },
    { when: 'is well long enough', given: { ...trial, open: open('trying'), uptimeMs: 60_000, health: fresh(30_000) }, step: 'commit' },
    {
      when: 'has no uplink yet',
      given: { ...trial, open: open('trying'), uptimeMs: 60_000, health: OFFLINE },
      step: 'wait: on trial: the uplink is down',
    },
    {
      when: 'has no uplink, as before',
      given: { ...trial, open: open('trying', { uplink: false }), uptimeMs: 60_000, health: OFFLINE },
      step: 'commit',
    },
    {
      when: 'has no uplink for a quarter of an hour',
      given: { ...trial, open: open('trying'), uptimeMs: TRIAL_MS, health: OFFLINE },
      step: 'fall-back: not healthy within 15 minutes: the uplink is down',
    },
    {
      when: 'is ill for a quarter of an hour',
      given: { ...trial, open: open('trying'), uptimeMs: TRIAL_MS, health: ILL },
      step: 'fall-back: not healthy within 15 minutes: dns: silent',
    },
    {
      when: 'crashes again and again for a quarter of an hour',
      given: { ...trial, open: open('trying'), uptimeMs: TRIAL_MS, health: fresh(2_000) },
      step: 'fall-back: not healthy within 15 minutes: healthy for 2 s only',
    },
    {
      when: 'is over, but there is nothing to fall back to',
      given: { ...trial, open: open('trying'), uptimeMs: TRIAL_MS, health: ILL, marks: marks('BA 0/0 1/1') },
      step: 'commit: not healthy within 15 minutes: dns: silent; there is no whole system to fall back to',
    },
    {
      when: 'was given up, and the daemon killed before the loader knew',
      given: { ...trial, open: open('trying', { why: 'dhcp: dead' }), health: WELL },
      step: 'fall-back: dhcp: dead',
    },
    {
      when: 'goes on although another release is wanted',
      given: {
        ...trial,
        open: open('trying'),
        uptimeMs: 60_000,
        health: fresh(1_000),
        wanted: { release: 'r2', verdict: GOOD, ended: undefined, told: undefined },
      },
      step: 'wait: on trial: healthy for 1 s only',
    },
  ],
})
