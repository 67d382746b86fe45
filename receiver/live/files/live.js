'use strict'
// All that comes of an event is set as text, never as HTML.

const EVERY_MS = 1000
const MOST_OF_A_SOURCE = 200
const REASONS = {
  bad_json: 'It is no JSON, or is cut short.',
  not_utf8: 'It is not UTF-8.',
  not_object: 'It is no JSON object.',
  duplicate_key: 'A key stands twice in one object.',
  too_many_keys: 'It has too many keys.',
  too_big: 'It is larger than an event may be.',
  too_deep: 'It nests deeper than an event may.',
  no_batch: 'The body has no list "batch".',
  no_type: 'It has no "type", and the path does not say which call it is.',
  unknown_type: 'Its "type" is no call of Segment\'s.',
  bad_message_id: 'Its "messageId" is no text that can be an id.',
  bad_gzip: 'It says that it is gzip, and cannot be unpacked.',
  bad_base64: 'The data of the pixel is no base64.',
  delete_not_allowed: 'This credential may not order an erasure.',
}
const NOT_STORED = {
  shut_out: 'shut out: their "integrations" say that they are not for this destination',
  suppressed: 'of suppressed people: answered, not stored, not shown',
  throttled: 'over the quota: requests answered 429, to be sent again',
}

const find = (id) => document.getElementById(id)
const rows = new Map() // id → row
const seen = new Map() // id → when it came: answers overlap
const counted = new Map() // what was not stored, by hour, source and reason
let since = null
let isFirst = true
let isPaused = false
let left = 0

function make(name, className, text) {
  const element = document.createElement(name)
  if (className) element.className = className
  if (text !== undefined && text !== null) element.textContent = text
  return element
}

function listItem(row) {
  const item = make('li', row.verdict.replace(' ', '-'))
  const summary = make('summary')
  const time = make('span', 'time', `${row.received_at.slice(11, 23)}Z`)
  time.title = row.received_at
  summary.append(
    time,
    make('span', 'verdict', row.verdict),
    make('span', 'source', row.source),
    make('span', 'call', row.call ?? '?'),
    make('span', 'name', row.event),
    make('span', 'who', row.user_id ?? row.anonymous_id)
  )
  const details = make('details')
  details.append(summary)
  if (row.reason) details.append(make('p', 'why', `${row.reason}: ${REASONS[row.reason] ?? ''}`))
  const facts = make('dl')
  for (const name of ['received_at', 'message_id', 'user_id', 'anonymous_id', 'credential']) {
    if (row[name]) facts.append(make('dt', '', name), make('dd', '', row[name]))
  }
  if (facts.children.length) details.append(facts)
  if (row.json !== undefined) {
    if (row.is_cut) details.append(make('p', '', 'Too large to be shown whole: this is its beginning.'))
    const json = make('pre', '', row.json)
    json.tabIndex = 0
    details.append(json)
  }
  item.append(details)
  return item
}

function isWanted(row) {
  const { source, verdict, search } = wanted
  return (
    (!source || row.source === source) &&
    (!verdict || row.verdict === verdict) &&
    (!search || row.text.includes(search))
  )
}

const wanted = { source: '', verdict: '', search: '' }

function show() {
  wanted.source = find('source').value
  wanted.verdict = find('verdict').value
  wanted.search = find('search').value.trim().toLowerCase()
  for (const row of rows.values()) row.item.hidden = !isWanted(row)
  sayEmpty()
}

function sayEmpty() {
  const shown = [...rows.values()].filter((row) => !row.item.hidden).length
  find('empty').hidden = shown > 0
  if (rows.size) find('empty').textContent = 'Nothing of what is here matches.'
  const more = left ? ` ${left} more came faster than they are shown.` : ''
  say(`${isPaused ? 'Paused' : 'Live'}: ${shown} of ${rows.size} shown.${more}`)
}

function say(text) {
  if (find('status').textContent !== text) find('status').textContent = text
}

function add(row) {
  if (seen.has(row.id)) return
  seen.set(row.id, row.received_at)
  row.text = Object.values(row).join('\n').toLowerCase()
  row.item = listItem(row)
  row.item.hidden = !isWanted(row)
  // What was on the disk a little later may have come a little earlier.
  const next = [...find('events').children].find((item) => item.dataset.at <= row.received_at)
  row.item.dataset.at = row.received_at
  find('events').insertBefore(row.item, next ?? null)
  rows.set(row.id, row)
}

function dropOldest() {
  const bySource = new Map()
  const newestFirst = [...rows.values()].sort((a, b) => (a.received_at < b.received_at ? 1 : -1))
  for (const row of newestFirst) {
    const number = (bySource.get(row.source) ?? 0) + 1
    bySource.set(row.source, number)
    if (number > MOST_OF_A_SOURCE) {
      row.item.remove()
      rows.delete(row.id)
    }
  }
}

function forgetSeen(now) {
  const longAgo = new Date(Date.parse(now.slice(0, 23) + 'Z') - 60_000).toISOString()
  for (const [id, at] of seen) if (at < longAgo) seen.delete(id)
}

function addCounts(counts, now) {
  for (const { hour, source, reason, number } of counts) {
    const key = JSON.stringify([hour, source, reason])
    const more = number - (counted.get(key) ?? 0)
    counted.set(key, number)
    if (more <= 0) continue
    const before = isFirst ? `since ${hour.slice(11)}:00Z, ` : ''
    const event = `${before}${more} ${NOT_STORED[reason] ?? reason}`
    add({ id: `${key}${number}`, received_at: now, source, call: '', verdict: 'not stored', event })
  }
}

function addSources(names) {
  const known = new Set([...find('source').options].map((option) => option.value))
  for (const name of names) {
    if (known.has(name)) continue
    const option = make('option', '', name)
    option.value = name
    find('source').append(option)
  }
}

async function look() {
  const query = since ? `?since=${encodeURIComponent(since)}` : ''
  const answer = await fetch(`/live/events${query}`, { cache: 'no-store' })
  if (!answer.ok) throw new Error(`the receiver answers ${answer.status}`)
  const found = await answer.json()
  if (isPaused) return
  addSources(found.sources)
  for (const event of found.events.reverse()) add(event)
  addCounts(found.not_stored, found.now)
  left = Object.values(found.left_out).reduce((sum, number) => sum + number, 0)
  since = found.now
  isFirst = false
  dropOldest()
  forgetSeen(found.now)
  sayEmpty()
}

async function keepLooking() {
  for (;;) {
    if (!isPaused && !document.hidden) {
      try {
        await look()
      } catch (error) {
        say(`Waiting for the receiver: ${error.message}`)
      }
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
  }
}

for (const id of ['source', 'verdict', 'search']) find(id).addEventListener('input', show)
find('pause').addEventListener('click', () => {
  isPaused = !isPaused
  find('pause').textContent = isPaused ? 'Resume' : 'Pause'
  find('pause').setAttribute('aria-pressed', String(isPaused))
  sayEmpty()
})
find('clear').addEventListener('click', () => {
  for (const row of rows.values()) row.item.remove()
  rows.clear()
  left = 0
  sayEmpty()
})
keepLooking()
