// A process that builds one iPXE, to be killed by whoever started it.
// Arguments: a directory for all it keeps, the source as JSON, the request as JSON.
import { buildIpxe } from '../../manager/builders/ipxe/build.ts'
import { SourceRef } from '../../manager/builders/sources/source.ts'
import { IpxeRequest, ipxeDeps } from './ipxe-source.ts'

const [directory = '', source = '', request = ''] = process.argv.slice(2)
const deps = ipxeDeps(directory)
await buildIpxe(IpxeRequest.parse(JSON.parse(request)), SourceRef.parse(JSON.parse(source)), deps)
