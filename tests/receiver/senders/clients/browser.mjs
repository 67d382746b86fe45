// Opens pages in Chromium, one after the other, as told by the JSON in its argument; prints
// what each page reported and what went wrong in it, as JSON.
import { chromium } from 'playwright-core'

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const PATIENCE = { timeout: 20_000 }

const { executablePath, pages } = JSON.parse(process.argv[2])
const browser = await chromium.launch({ executablePath, args: FLAGS })
const reports = {}
for (const { name, url, leave } of pages) {
  const context = await browser.newContext() // its own storage: what one queues no other sends
  const page = await context.newPage()
  const errors = []
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('requestfailed', (request) => errors.push(`${request.url()} ${request.failure().errorText}`))
  try {
    await page.goto(url)
    await page.waitForFunction(() => window.report !== undefined, undefined, PATIENCE)
    const report = await page.evaluate(() => window.report)
    reports[name] = { report, errors: [...errors] }
    if (leave) {
      await page.evaluate(() => window.beforeLeaving())
      await page.goto('about:blank') // from here on nobody hears the answers
    }
  } catch (error) {
    reports[name] = { report: null, errors: [...errors, String(error)] }
  }
  await context.close()
}
await browser.close()
console.log(JSON.stringify(reports))
