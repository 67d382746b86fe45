// Opens pages of Dagster's UI in Chromium, as told by the JSON in its argument; prints for each how
// many milliseconds passed until its data was there, and what it asked for, as JSON.
//
// A page's data is there when each of its GraphQL queries has been answered once and no other has
// been asked for QUIET ms: the same one again is a poll. A run's page is fed by a websocket, and
// counts until that has been quiet too. What the server's processes took of the processor is read
// from /proc, as far as they have not ended.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const { chromium } = createRequire(process.cwd() + '/')('playwright-core')

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const QUIET = 1500
const LONGEST = 45_000

const { executablePath, url, pages, times, pictures, processes } = JSON.parse(process.argv[2])
const browser = await chromium.launch({ executablePath, args: FLAGS })
const context = await browser.newContext({ viewport: { width: 1400, height: 1000 } })

const TICKS = 100 // a second, as Linux tells of processes

function serverSeconds() {
  const ticks = processes.map((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
    return Number(fields[11]) + Number(fields[12])
  })
  return ticks.reduce((sum, one) => sum + one, 0) / TICKS
}

async function open(path, picture) {
  const page = await context.newPage()
  const asked = new Map()
  const slowest = {}
  const nameOf = (request) => request.postDataJSON()?.operationName ?? '?'
  let last = 0
  let frames = 0
  let first = 0
  const before = serverSeconds()
  const began = Date.now()
  const now = () => Date.now() - began
  page.on('request', (request) => {
    if (new URL(request.url()).pathname.endsWith('/graphql') && !(nameOf(request) in slowest)) {
      asked.set(request, now())
    }
  })
  const ended = (request) => {
    if (asked.has(request)) {
      const name = nameOf(request)
      slowest[name] = Math.max(slowest[name] ?? 0, now() - asked.get(request))
      asked.delete(request)
      last = now()
    }
  }
  page.on('requestfinished', ended)
  page.on('requestfailed', ended)
  page.on('websocket', (socket) =>
    socket.on('framereceived', ({ payload }) => {
      if (String(payload).includes('"type":"data"') || String(payload).includes('"type":"next"')) {
        frames += 1
        last = now()
        first ||= last
      }
    })
  )
  await page.goto(url + path, { waitUntil: 'commit' })
  while ((asked.size > 0 || last === 0 || now() - last < QUIET) && now() < LONGEST) {
    await page.waitForTimeout(50)
  }
  const isQuiet = now() < LONGEST
  if (picture) {
    await page.screenshot({ path: picture })
  }
  await page.close()
  const server = serverSeconds() - before
  console.error(`${path}: ${last} ms, server ${server.toFixed(2)} s, ${frames} frames from ${first} ms`)
  const [query, longest] = Object.entries(slowest).sort((a, b) => b[1] - a[1])[0] ?? ['', 0]
  return { milliseconds: last, first, server, query, longest, isQuiet }
}

await open('/', null) // its scripts are in the cache from now on
const found = {}
for (let time = 0; time < times; time += 1) {
  for (const [name, path] of Object.entries(pages)) {
    const picture = pictures && time === 0 ? `${pictures}/${name.replace(/\W+/g, '-')}.png` : null
    found[name] = [...(found[name] ?? []), await open(path, picture)]
  }
}
await browser.close()
console.log(JSON.stringify(found))
