-- $1 one document, or null for all; $2 a state, or null; $3 how many at most. The newest first.
select * from (
  select d.id, d.sha256, d.bytes, d.name, d.schema, to_char(d.submitted_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as submitted_at,
    coalesce(j.queue, a.queue) as stage,
    case
      when j.status = 'pending' and j.queue = 'ocr' then 'queued'
      when j.status = 'running' and j.queue = 'ocr' then 'reading'
      when j.status = 'pending' then 'read'
      when j.status = 'running' then 'extracting'
      else o.state
    end as state,
    coalesce(j.attempt, a.attempt) as attempt, coalesce(j.crashes, a.crashes) as crashes,
    coalesce(j.progress_done, 0) as progress_done, coalesce(j.progress_total, 0) as progress_total,
    coalesce(j.cancel_requested, false) as cancel_requested,
    coalesce(j.last_error, a.last_error) as last_error,
    case when j.status = 'pending' then to_char(j.run_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') end as run_at,
    to_char(coalesce(j.started_at, a.started_at) at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as started_at,
    case when j.id is null then to_char(a.finished_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') end as finished_at,
    o.verdict, o.reviewer, o.note, to_char(o.reviewed_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as reviewed_at,
    to_char(d.deleted_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as deleted_at
  from civicum.document d
  left join lateral (select * from civicum.job where document_id = d.id order by id desc limit 1) j on true
  left join lateral (select * from civicum.job_archive where document_id = d.id order by id desc limit 1) a on true
  left join lateral civicum.outcome(d.id) o on true
  where $1::bigint is null or d.id = $1
) as documents
where $2::text is null or state = $2
order by id desc limit $3
