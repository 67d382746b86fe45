// Does in the Dagster UI, in Chromium, what a person does, and tells what it shows. The JSON in its
// argument says what, with which words; with `picture` the page is kept as it is at the end.
import { chromium } from 'playwright-core'

const { executablePath, url, step, picture, ...order } = JSON.parse(process.argv[2])
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run']
FLAGS.push('--disable-background-networking', '--disable-component-update', '--disable-sync')
const PATIENCE = { timeout: 60_000 }

const browser = await chromium.launch({ executablePath, args: FLAGS })
const context = await browser.newContext({
  viewport: { width: order.width ?? 1280, height: order.height ?? 760 },
  timezoneId: 'UTC',
  locale: 'en-US',
  httpCredentials: order.credentials,
  reducedMotion: 'reduce',
})
const page = await context.newPage()
page.setDefaultTimeout(PATIENCE.timeout)
const errors = []
page.on('pageerror', (error) => errors.push(String(error)))

const text = (words) => page.getByText(words, { exact: true }).first()
const open = (path) => page.goto(url + path)
const seen = async (all) => {
  for (const words of all) await text(words).waitFor(PATIENCE)
  return all
}
/** Wait until nothing turns and nothing is asked for any more. */
const settled = async () => {
  await page.waitForLoadState('networkidle', PATIENCE)
  await page.waitForFunction(
    () => !document.querySelector('[class*="Spinner_"], [class*="skeleton" i]'),
    undefined,
    PATIENCE
  )
}
/** The asset page in one of its tabs. */
const asset = (key, view) => open(`/assets/${key}?view=${view}`)

const STEPS = {
  async pages() {
    const shown = {}
    for (const [path, words] of Object.entries(order.pages)) {
      await open(path)
      await seen(words)
      await page.waitForLoadState('networkidle', PATIENCE)
      shown[path] = await page.locator('body').innerText()
    }
    return shown
  },

  async graph() {
    await open('/asset-groups')
    await seen(order.groups)
    await settled()
    return { text: await page.locator('body').innerText() }
  },

  async lineage() {
    await open(`/assets/${order.asset}?view=lineage&lineageScope=${order.scope}&lineageDepth=9`)
    await seen(order.assets)
    await settled()
    return { text: await page.locator('body').innerText() }
  },

  async overview() {
    await asset(order.asset, 'overview')
    await seen(order.words)
    await settled()
    const code = page.getByRole('link', { name: /in editor$/ })
    return { text: await page.locator('body').innerText(), code: await code.getAttribute('href') }
  },

  async plots() {
    await asset(order.asset, 'overview')
    await page.getByRole('button', { name: 'Plots' }).or(page.getByText('Plots')).first().click()
    await seen(order.plots)
    await page.locator('canvas').first().waitFor(PATIENCE)
    await settled()
    await text('Metadata').evaluate((title) => title.scrollIntoView({ block: 'start' }))
    return { plots: await page.locator('canvas').count() }
  },

  async check() {
    await asset(order.asset, 'checks')
    await text(order.check).click()
    await settled() // what is clicked while the page draws the check is lost
    await text('Execute').click()
    await page.getByText(order.found).first().waitFor({ timeout: 120_000 })
    await page.keyboard.press('Escape')
    await settled()
    return { text: await page.locator('body').innerText() }
  },

  async live() {
    await page.setViewportSize({ width: 1000, height: 1180 })
    await open('/live')
    const rows = page.locator('#events > li:visible')
    for (const verdict of order.verdicts)
      await rows.filter({ has: text(verdict) }).first().waitFor(PATIENCE)
    await rows.filter({ has: text(order.opened) }).first().locator('summary').click()
    await page.evaluate(() => window.scrollTo(0, 0))
    return { verdicts: await rows.locator('.verdict').allTextContents() }
  },

  async terminal() {
    await page.setContent('<pre></pre>')
    await page.addStyleTag({
      content: `body { margin: 0; background: #16181d }
        pre { margin: 0; padding: 24px; color: #e4e6eb; font: 14px/1.5 monospace;
              white-space: pre-wrap }`,
    })
    const pre = page.locator('pre')
    await pre.evaluate((element, printed) => (element.textContent = printed), order.printed)
    await page.setViewportSize({ width: 1480, height: 100 })
    await page.setViewportSize({ width: 1480, height: Math.ceil((await pre.boundingBox()).height) })
  },

  async launch() {
    await open(`/locations/seamline/jobs/${order.job}/playground`)
    const launch = page.getByRole('button', { name: 'Launch Run' })
    const config = page.locator('.CodeMirror').first()
    const write = async (yaml) => {
      await config.click()
      await page.keyboard.press('Control+A')
      await page.keyboard.insertText(yaml)
    }
    await config.waitFor(PATIENCE)
    await write(order.wrong)
    await page.getByText(order.refusal).first().waitFor(PATIENCE)
    const refused = !(await launch.isEnabled())
    await write(order.right)
    await text('No errors').waitFor(PATIENCE)
    await launch.click()
    await page.waitForURL(/\/runs\/[0-9a-f-]{36}/, PATIENCE)
    await page.getByText(order.said).first().waitFor({ timeout: 180_000 })
    await text('Success').waitFor({ timeout: 120_000 })
    await settled()
    return { refused, run: page.url().split('/runs/')[1].slice(0, 36) }
  },
}

const report = { errors }
try {
  Object.assign(report, { shown: await STEPS[step]() })
} catch (error) {
  report.failed = String(error)
  report.text = await page.locator('body').innerText()
}
if (picture) await page.screenshot({ path: picture })
await browser.close()
console.log(JSON.stringify(report))
