import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterEach, beforeEach, expect, test } from 'vitest'

// The script runs on busybox; here bash runs its functions, with other places for /sys and /run, and `fail` and `say` as witnesses.
const INIT = new URL('./init', import.meta.url)
let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bridgehead-test-'))
})
afterEach(() => rm(directory, { recursive: true }))

async function call(commands: string): Promise<{ out: string; failed: string | undefined }> {
  const functions = (await readFile(INIT, 'utf8')).replace(/\nmain\n$/, '\n').replace('export PATH=/bin', 'export')
  const script = `${functions}
sys='${directory}/sys' run='${directory}'
fail() { echo "FAILED $*"; exit 0; }
say() { :; }
insist() { shift; "$@"; }
uname() { echo 6.1-cloud-amd64; }
${commands}`
  const { stdout } = await execa('bash', ['-c', script], { cwd: directory })
  const failed = /^FAILED (.*)$/m.exec(stdout)?.[1]
  return { out: stdout.trim(), failed }
}

for (const script of ['./init', './udhcpc-script', '../host-image/finish.sh', '../host-image/overlay/usr/lib/bridgehead/grow'])
  test(`${script} is a shell script without errors of syntax`, async () => {
    await execa('sh', ['-n', new URL(script, import.meta.url).pathname])
  })

const ANSWERS = `# from the site
IMAGE_URL='http://192.168.1.2/artifacts/ab/disk.zst'
IMAGE_SHA256='ab'
IMAGE_BYTES='1000'
HOSTNAME='till-1'
DISK=''

`
for (const { answers, failed } of [
  { answers: ANSWERS, failed: undefined },
  { answers: '<html><body>502</body></html>\n', failed: "the answers have a line that is not KEY='value': <html><body>502</body></html>" },
  { answers: `${ANSWERS}DISK='$(touch ran)'\n`, failed: undefined },
  { answers: `${ANSWERS}DISK='a'; touch ran; 'b'\n`, failed: "the answers have a line that is not KEY='value': DISK='a'; touch ran; 'b'" },
  { answers: `${ANSWERS}DISK=$(touch ran)\n`, failed: "the answers have a line that is not KEY='value': DISK=$(touch ran)" },
  { answers: ANSWERS.replace(/HOSTNAME.*\n/, ''), failed: 'the answers lack HOSTNAME' },
  { answers: ANSWERS.replace('1000', '1 GB'), failed: "the answers say IMAGE_BYTES='1 GB'; expected a number" },
  { answers: '', failed: 'the answers lack IMAGE_URL' },
])
  test(`answers ending in ${JSON.stringify(answers.trim().split('\n').at(-1))}: ${failed ?? 'taken'}`, async () => {
    await writeFile(join(directory, 'answers'), answers)
    const result = await call('read_answers; echo "$HOSTNAME|$DISK"')
    expect(result.failed).toBe(failed)
    expect(existsSync(join(directory, 'ran')), 'nothing of it was run').toBe(false)
    if (failed === undefined) expect(result.out).toMatch(/^till-1\|/)
  })

const MIB = 1_048_576
const disks = [
  { name: 'sda', mib: 4000 },
  { name: 'sdb', mib: 2000 },
  { name: 'nvme0n1', mib: 2000 },
  { name: 'vda', mib: 500 },
  { name: 'sdc', mib: 1500, removable: 1 },
  { name: 'sdd', mib: 1500, ro: 1 },
  { name: 'loop0', mib: 1500 },
  { name: 'mmcblk0boot0', mib: 1500 },
]
for (const { wish, disk, needs = 1000, present = disks, chosen, failed } of [
  { wish: 'any disk', disk: '', chosen: 'nvme0n1' },
  { wish: 'any disk, for a larger image', disk: '', needs: 3000, chosen: 'sda' },
  { wish: 'a disk by name', disk: 'sda', chosen: 'sda' },
  { wish: 'a disk by path', disk: '/dev/sdb', chosen: 'sdb' },
  {
    wish: 'a disk that is not there',
    disk: '/dev/sdz',
    failed: 'no disk /dev/sdz here; the image needs 1000 MiB; found: vda (500 MiB) nvme0n1 (2000 MiB) sdb (2000 MiB) sda (4000 MiB) ',
  },
  {
    wish: 'a disk that is too small',
    disk: 'vda',
    failed: expect.stringMatching(/^disk vda is too small; the image needs 1000 MiB; found: /),
  },
  { wish: 'a removable disk', disk: 'sdc', failed: expect.stringMatching(/^no disk sdc here/) },
  {
    wish: 'more than any disk holds',
    disk: '',
    needs: 9000,
    failed: expect.stringMatching(/^no disk is large enough; the image needs 9000/),
  },
  {
    wish: 'any disk where there is none',
    disk: '',
    present: [],
    failed: expect.stringMatching(/found: no disk; this kernel has the drivers of virtual machines only/),
  },
])
  test(`${wish}: ${chosen ?? 'refused'}`, async () => {
    await mkdir(join(directory, 'sys', 'block'), { recursive: true })
    for (const { name, mib, removable = 0, ro = 0 } of present) {
      const folder = join(directory, 'sys', 'block', name)
      await mkdir(folder)
      await writeFile(join(folder, 'size'), `${mib * 2048}\n`)
      await writeFile(join(folder, 'removable'), `${removable}\n`)
      await writeFile(join(folder, 'ro'), `${ro}\n`)
    }
    const result = await call(`DISK='${disk}' IMAGE_BYTES=${needs * MIB}; choose_disk; echo "chosen $disk"`)
    expect(result.failed).toEqual(failed)
    if (chosen !== undefined) expect(result.out).toBe(`chosen ${chosen}`)
  })

test('whatever a script said fits into a query', async () => {
  const text = 'done: 100% & "fine"\n#1 + é?'
  const { out } = await call(`encode '${text}'`)
  expect(decodeURIComponent(out)).toBe(text)
  expect(out).toMatch(/^(%[0-9a-f]{2})+$/)
})
