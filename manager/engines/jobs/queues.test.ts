import { expect, test } from 'vitest'
import { cancelKey, QUEUES, QueueList, queueKeys } from './queues.ts'

test.each([
  { text: 'all', queues: QUEUES },
  { text: 'none', queues: [] },
  { text: 'build', queues: ['build'] },
  { text: 'package, build', queues: ['build', 'package'] },
])('"$text" means $queues', ({ text, queues }) => expect(QueueList.parse(text)).toEqual(queues))

test.each(['', 'biuld', 'build,', 'all,build'])('"%s" is refused', (text) =>
  expect(() => QueueList.parse(text)).toThrow('default,build,package'),
)

test("a queue's keys are all under one pattern", () => {
  expect(queueKeys('build')).toBe('jobs:{build}:*')
  expect(cancelKey('build', 'abc')).toBe('jobs:{build}:abc:cancel')
})
