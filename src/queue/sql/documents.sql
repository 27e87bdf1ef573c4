-- $1 one document, or null for all; $2 a state, or null; $3 how many at most. The newest first. What the state that is asked for says of
-- the columns is said to the planner, which has an index for it; the archive is asked of those that are shown.
with shown as (
  select * from (
    select d.*, j.queue, j.attempt, j.crashes, j.progress_done, j.progress_total, j.cancel_requested, j.last_error, j.started_at,
      case when j.status = 'pending' then j.run_at end as run_at, r.verdict, r.reviewer, r.note, r.made_at as reviewed_at,
      case
        when j.status = 'pending' and j.queue = 'ocr' then 'queued'
        when j.status = 'running' and j.queue = 'ocr' then 'reading'
        when j.status = 'pending' then 'read'
        when j.status = 'running' then 'extracting'
        when d.deleted_at is not null then 'deleted'
        else coalesce(r.verdict, d.ended)
      end as state
    from civicum.document d
    left join lateral (select * from civicum.job where document_id = d.id order by id desc limit 1) j on true
    left join lateral civicum.said(d.id, d.ended_at) r on true
    where ($1::bigint is null or d.id = $1)
      and ($2::text is null or ($2 = 'deleted') = (d.deleted_at is not null))
      and ($2 is null or $2 not in ('done', 'failed', 'quarantined', 'cancelled') or d.deleted_at is null and d.ended = $2)
      and ($2 is null or $2 not in ('accepted', 'rejected') or d.deleted_at is null and d.ended is not null)
      and ($2 is null or $2 not in ('queued', 'reading', 'read', 'extracting') or d.deleted_at is null and d.ended is null)
  ) as documents
  where $2::text is null or state = $2
  order by id desc limit $3
)
select d.id, d.sha256, d.bytes, d.name, d.schema, to_char(d.submitted_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as submitted_at,
  coalesce(d.queue, a.queue) as stage, d.state,
  coalesce(d.attempt, a.attempt) as attempt, coalesce(d.crashes, a.crashes) as crashes,
  coalesce(d.progress_done, 0) as progress_done, coalesce(d.progress_total, 0) as progress_total,
  coalesce(d.cancel_requested, false) as cancel_requested,
  coalesce(d.last_error, a.last_error) as last_error,
  to_char(d.run_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as run_at,
  to_char(coalesce(d.started_at, a.started_at) at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as started_at,
  to_char(d.ended_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as finished_at,
  d.verdict, d.reviewer, d.note, to_char(d.reviewed_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as reviewed_at,
  to_char(d.deleted_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as deleted_at
from shown d
left join lateral (select * from civicum.job_archive where document_id = d.id order by id desc limit 1) a on true
order by d.id desc
