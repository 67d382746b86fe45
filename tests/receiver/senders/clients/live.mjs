// Opens the live page in Chromium, lets a page with the SDK send, and tells what the live page shows.
import { chromium } from 'playwright-core'

const { executablePath, live, key, sender, search, picture } = JSON.parse(process.argv[2])
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run']
FLAGS.push('--disable-background-networking', '--disable-component-update', '--disable-sync')
const PATIENCE = { timeout: 20_000 }

const browser = await chromium.launch({ executablePath, args: FLAGS })
const errors = []
const context = await browser.newContext({
  httpCredentials: { username: 'x', password: key },
  viewport: { width: 1000, height: 620 },
})
const page = await context.newPage()
page.on('pageerror', (error) => errors.push(String(error)))
page.on('console', (line) => line.type() === 'error' && errors.push(line.text()))
page.on('dialog', (dialog) => errors.push(`dialog: ${dialog.message()}`))
await page.goto(live)
const shown = () => page.locator('#events > li:visible')
const names = () => shown().locator('.name').allTextContents()
const isThere = (text) => page.getByText(text).first().waitFor(PATIENCE)

const other = await (await browser.newContext()).newPage()
await other.goto(sender)
await other.waitForFunction(() => window.report !== undefined, undefined, PATIENCE)
await isThere('Product Viewed')
await shown().filter({ hasText: 'rejected' }).first().waitFor(PATIENCE)
await shown().filter({ hasText: 'not stored' }).first().waitFor(PATIENCE)
const report = { all: await names(), verdicts: await shown().locator('.verdict').allTextContents() }

await page.locator('#search').fill(search)
report.found = await names()
// By the keyboard alone: the first row, opened.
await shown().first().locator('summary').focus()
await page.keyboard.press('Enter')
report.json = await shown().first().locator('pre').textContent()
await page.locator('#search').fill('')
if (picture) {
  await shown().locator('details[open] summary').click()
  await shown().filter({ hasText: 'rejected' }).first().locator('summary').click()
  await page.screenshot({ path: picture })
}
report.markup = await page.locator('#events b, #events img, #events script').count()

await page.locator('#pause').click()
const before = (await names()).length
await other.evaluate(() => window.beforeLeaving())
await page.waitForTimeout(2500) // two looks, had it not been paused
report.whilePaused = (await names()).length - before
await page.locator('#pause').click()
await isThere('Page Left')

await page.setViewportSize({ width: 360, height: 640 })
report.overflows = await page.evaluate(
  () => document.documentElement.scrollWidth > document.documentElement.clientWidth
)
if (picture) await page.screenshot({ path: picture.replace('.png', '-phone.png') })
report.errors = errors
await browser.close()
console.log(JSON.stringify(report))
