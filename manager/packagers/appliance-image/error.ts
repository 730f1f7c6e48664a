/** An appliance image that cannot be made; the message is a sentence for people. */
export class ApplianceImageError extends Error {
  readonly code = 'appliance-image'
}
