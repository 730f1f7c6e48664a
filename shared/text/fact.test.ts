import { expect, test } from 'vitest'
import { type AnyEvent, EVENT_KINDS } from '../model/event.ts'
import { factWords } from './fact.ts'

const ip = '192.168.1.50' as never
const mac = '52:54:00:00:00:01' as never

const ROWS: [Pick<AnyEvent, 'kind' | 'data'>, string][] = [
  [{ kind: 'host.discovered', data: { facts: { macs: [mac] }, lan: 'shop' } }, 'seen for the first time on lan shop (52:54:00:00:00:01)'],
  [{ kind: 'host.facts', data: { facts: { macs: [mac] } } }, 'tells more of itself'],
  [{ kind: 'host.approved', data: { rule: 'r', tags: {}, name: 'n1', profile: 'p' } }, 'approved as n1, to be installed'],
  [{ kind: 'host.status', data: { status: 'failed', why: 'no disk' } }, 'is failed: no disk'],
  [{ kind: 'host.phone-home', data: { ip, hostKeys: [] } }, 'phones home from 192.168.1.50'],
  [{ kind: 'intent.started', data: { intent: 'i', kind: 'install', attempt: 2 } }, 'install begins (attempt 2)'],
  [{ kind: 'intent.done', data: { intent: 'i', kind: 'install' } }, 'install is done'],
  [{ kind: 'intent.failed', data: { intent: 'i', kind: 'install', why: 'no disk' } }, 'install failed: no disk'],
  [
    { kind: 'boot.stage', data: { boot: 'b', stage: 'image', bytes: 1024, total: 4096, ms: 500, detail: 'disk' } },
    'boots: image (disk), 1.0 KiB of 4.0 KiB in 0.5 s',
  ],
  [{ kind: 'dhcp.lease', data: { mac, ip, lan: 'shop', until: 1 } }, '192.168.1.50 is leased to 52:54:00:00:00:01 on lan shop'],
  [{ kind: 'dhcp.release', data: { mac, ip, lan: 'shop', why: 'expired' } }, '192.168.1.50 of 52:54:00:00:00:01 is free again (expired)'],
  [
    { kind: 'dhcp.foreign-server', data: { lan: 'shop', server: ip, blocked: true } },
    'another DHCP server, 192.168.1.50, answers on lan shop; this site does not serve there',
  ],
  [{ kind: 'dhcp.pool-full', data: { lan: 'shop', mac } }, 'no address is left on lan shop for 52:54:00:00:00:01'],
  [{ kind: 'state.applied', data: { revision: 7 } }, 'applied revision 7'],
  [{ kind: 'state.refused', data: { revision: 7, why: 'signature' } }, 'refused revision 7: signature'],
  [{ kind: 'artifact.ready', data: { sha256: 'x', name: 'kernel', bytes: 2048, ms: 1000 } }, 'has kernel (2.0 KiB in 1.0 s)'],
  [{ kind: 'artifact.refused', data: { sha256: 'x', name: 'kernel', why: 'too short' } }, 'refused kernel: too short'],
  [{ kind: 'script.render-failed', data: { script: 's', why: 'line 1' } }, 'script s does not render: line 1'],
  [{ kind: 'command.refused', data: { command: 'c', why: 'too late' } }, 'refused an order: too late'],
  [{ kind: 'run.started', data: { run: 'r', ip } }, 'runs a script at 192.168.1.50'],
  [{ kind: 'run.output', data: { run: 'r', seq: 0, stream: 'stdout', text: 'hello\nworld\n' } }, 'stdout: hello ↵ world'],
  [{ kind: 'run.finished', data: { run: 'r', exitCode: 0, ms: 1200 } }, 'script ended with exit code 0 after 1.2 s'],
  [{ kind: 'appliance.started', data: { version: '0.1.0', sshPublicKey: 'k' } }, 'appliance started, version 0.1.0'],
  [{ kind: 'appliance.update', data: { release: 'r', version: '0.2.0', phase: 'refused', why: 'old' } }, 'update to 0.2.0: refused: old'],
  [{ kind: 'appliance.slot-repaired', data: { slot: 'B', why: 'rotten' } }, 'system B was written anew: rotten'],
  [{ kind: 'appliance.data', data: { state: 'full', freeBytes: 1_048_576 } }, 'its data partition is nearly full (1.0 MiB free)'],
]

for (const [fact, says] of ROWS) test(`${fact.kind} is said so: ${says}`, () => expect(factWords(fact)).toBe(says))

test('every kind of fact has words', () => expect(new Set(ROWS.map(([{ kind }]) => kind))).toEqual(new Set(EVENT_KINDS)))
