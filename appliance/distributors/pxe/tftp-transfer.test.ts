import { negotiateTftp } from '@bridgehead/shared/wire/tftp-options.ts'
import { describe, expect, test } from 'vitest'
import { beginTransfer, RETRANSMIT, type Step, stepTransfer } from './tftp-transfer.ts'

/** A transfer of `size` bytes under these options, and a hand to push it with. Time stands still unless a row moves it. */
function begin(size: number, asked: Record<string, string> = {}) {
  let now = 1000
  let step: Step = beginTransfer({ size, terms: negotiateTftp(new Map(Object.entries(asked)), size), now })
  const said = () => {
    if (step.end) return step.end
    if (!step.send) return 'silence'
    return step.send.kind === 'oack'
      ? 'oack'
      : step.send.first === step.send.last
        ? `${step.send.first}`
        : `${step.send.first}-${step.send.last}`
  }
  const push = (input: Parameters<typeof stepTransfer>[1]) => {
    step = stepTransfer(step.transfer, input, now)
    return said()
  }
  return {
    said,
    ack: (block: number) => push({ kind: 'ack', block }),
    error: () => push({ kind: 'error' }),
    wait(ms: number) {
      now += ms
      return push({ kind: 'clock' })
    },
    pass(ms: number) {
      now += ms
    },
    state: () => step.transfer,
  }
}

describe('in lock-step', () => {
  test('each ACK brings the next block, the last one ends it', () => {
    const client = begin(1100)
    expect([client.said(), client.ack(1), client.ack(2), client.ack(3)]).toEqual(['1', '2', '3', 'complete'])
  })
  test('a file of exactly n blocks ends with an empty block', () => {
    const client = begin(1024)
    expect([client.ack(1), client.ack(2), client.ack(3)]).toEqual(['2', '3', 'complete'])
  })
  test('an empty file is one empty block', () => expect(begin(0).ack(1)).toBe('complete'))
  test("a repeated ACK is never answered (the sorcerer's apprentice)", () => {
    const client = begin(5000)
    expect([client.ack(1), client.ack(1), client.ack(1), client.ack(2)]).toEqual(['2', 'silence', 'silence', '3'])
  })
  test('an ACK of a block never sent is let pass', () => {
    const client = begin(5000)
    expect([client.ack(2), client.ack(60_000), client.ack(1)]).toEqual(['silence', 'silence', '2'])
  })
  test('block numbers go on behind 65535', () => {
    const client = begin(512 * 65_537 + 10)
    for (let block = 1; block <= 65_534; block++) client.ack(block)
    expect([client.ack(65_535), client.ack(0), client.ack(1), client.ack(2)]).toEqual(['65536', '65537', '65538', 'complete'])
  })
  test("a client's ERROR ends it", () => expect(begin(5000).error()).toBe('error'))
})

describe('with options', () => {
  test('the OACK waits for ACK 0', () => {
    const client = begin(5000, { blksize: '1024' })
    expect([client.said(), client.ack(1), client.ack(0), client.ack(0), client.ack(1)]).toEqual(['oack', 'silence', '1', 'silence', '2'])
  })
  test('firmware that wanted the size alone ends with an ERROR', () => {
    expect(begin(5000, { tsize: '0' }).error()).toBe('tsize-only')
    expect(begin(5000, { blksize: '1024' }).error()).toBe('error')
  })
  test('nothing acceptable means no OACK', () => expect(begin(5000, { blksize: '3' }).said()).toBe('1'))
})

describe('with a window of 4', () => {
  const windowed = () => {
    const client = begin(512 * 20, { windowsize: '4' })
    client.ack(0)
    return client
  }
  test('four blocks go out for one ACK', () => {
    const client = windowed()
    expect([client.said(), client.ack(4), client.ack(8), client.ack(12), client.ack(16), client.ack(20), client.ack(21)]).toEqual([
      '1-4',
      '5-8',
      '9-12',
      '13-16',
      '17-20',
      '21',
      'complete',
    ])
  })
  test('an ACK inside the window tells of a loss behind it', () => {
    const client = windowed()
    expect([client.ack(2), client.ack(6)]).toEqual(['3-6', '7-10'])
    expect(client.state().retries).toBe(1)
  })
  test('blocks in flight repeat that ACK, which is not believed', () => {
    const client = windowed()
    expect([client.ack(2), client.ack(2), client.ack(2)]).toEqual(['3-6', 'silence', 'silence'])
  })
  test('a repeated ACK tells once that the first block was lost', () => {
    const client = windowed()
    client.ack(4)
    expect([client.ack(4), client.ack(4), client.ack(8), client.ack(8), client.ack(12), client.ack(12)]).toEqual([
      '5-8',
      'silence',
      '9-12',
      'silence', // the echo of the window sent twice
      '13-16',
      '13-16', // two windows came through: believed again
    ])
  })
})

describe('when nothing comes back', () => {
  test('a silent address is asked a few times, ever more slowly', () => {
    const client = begin(5000)
    const answers = [999, 1, 1999, 1, 4000, 4000].map((ms) => client.wait(ms))
    expect(answers).toEqual(['silence', '1', 'silence', '1', '1', '1'])
    expect(client.wait(4000)).toBe('timeout')
  })
  test('a client that was there is waited for longer, and asked sooner', () => {
    const client = begin(5000)
    client.ack(1)
    expect([client.wait(RETRANSMIT.leastMs - 1), client.wait(1), client.wait(2 * RETRANSMIT.leastMs)]).toEqual(['silence', '2', '2'])
    for (let tries = 2; tries < RETRANSMIT.tries; tries++) expect(client.wait(RETRANSMIT.mostMs)).toBe('2')
    expect(client.wait(RETRANSMIT.mostMs)).toBe('timeout')
  })
  test('progress forgives', () => {
    const client = begin(5000)
    for (let block = 1; block < 5; block++) {
      expect(client.wait(4000)).toBe(`${block}`)
      expect(client.ack(block)).toBe(`${block + 1}`)
    }
    expect(client.state()).toMatchObject({ tries: 0, retries: 4 })
  })
  test('the OACK is sent again too', () => expect(begin(5000, { tsize: '0' }).wait(1000)).toBe('oack'))
  test("the client's timeout counts until the line was measured", () => {
    const client = begin(5000, { timeout: '3' })
    expect([client.wait(2999), client.wait(1), client.ack(0)]).toEqual(['silence', 'oack', '1'])
    expect([client.wait(RETRANSMIT.leastMs - 1), client.wait(1)]).toEqual(['silence', '1'])
  })
  test('a slow line is measured, and given more time', () => {
    const client = begin(50_000)
    client.pass(100)
    client.ack(1)
    expect([client.wait(799), client.wait(1)]).toEqual(['silence', '2'])
  })
  test('an answer to what was sent twice measures nothing (Karn)', () => {
    const client = begin(50_000)
    client.ack(1)
    client.wait(1000)
    client.pass(200)
    client.ack(2)
    expect(client.state().rttMs).toBe(0)
  })
})
