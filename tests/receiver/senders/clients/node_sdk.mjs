// Sends events with @segment/analytics-node, as told by the JSON in its argument, and prints
// the errors it met, as JSON.
import { Analytics } from '@segment/analytics-node'

const { settings, events } = JSON.parse(process.argv[2])
const errors = []
const analytics = new Analytics(settings)
analytics.on('error', (error) => errors.push(String(error.reason ?? error.code)))
for (const { call, ...event } of events) analytics[call](event)
await analytics.closeAndFlush()
console.log(JSON.stringify(errors))
