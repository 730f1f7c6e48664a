/** A random ULA prefix (RFC 4193 §3.2): fd, 40 random bits; `fd12:3456:789a::/48`. */
export declare function newUlaPrefix(random: (bytes: number) => Uint8Array): string
/** Subnet 0, host 1 of the /48: `fd12:3456:789a::1`. */
export declare function hubAddress(prefix: string): string
/** Site `subnet` (1..65535): its /64, and the appliance's address (::1) in it with and without prefix length. */
export declare function siteNetwork(prefix: string, subnet: number): { network: string; address: string; cidr: string }
