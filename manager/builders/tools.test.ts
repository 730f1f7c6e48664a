import { expect, test } from 'vitest'
import { toolVersions } from './tools.ts'

test('each missing package is named once, with the remedy', async () => {
  const tools = [
    { file: '/nosuch/nasm', package: 'nasm' },
    { file: '/nosuch/ndisasm', package: 'nasm' },
    { file: '/bin/sh', package: 'dash' },
    { file: '/nosuch/uuid.h', package: 'uuid-dev' },
  ]
  await expect(toolVersions('SYSLINUX', tools)).rejects.toMatchObject({
    reason: 'tools',
    message: 'this machine cannot build SYSLINUX: apt-get install nasm uuid-dev',
  })
})
