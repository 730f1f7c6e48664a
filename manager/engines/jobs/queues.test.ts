import { expect, test } from 'vitest'
import { cancelKey, QueueList, queueKeys } from './queues.ts'

test.each([
  { text: 'all', queues: ['build', 'package'] },
  { text: 'none', queues: [] },
  { text: 'build', queues: ['build'] },
  { text: 'package, build', queues: ['build', 'package'] },
])('"$text" means $queues', ({ text, queues }) => expect(QueueList.parse(text)).toEqual(queues))

test.each(['', 'biuld', 'build,', 'all,build', 'default'])('"%s" is refused', (text) =>
  expect(() => QueueList.parse(text)).toThrow('build,package'),
)

test("a queue's keys are all under one pattern", () => {
  expect(queueKeys('build')).toBe('jobs:{build}:*')
  expect(cancelKey('build', 'abc')).toBe('jobs:{build}:abc:cancel')
})
