-- $1 document, or null for all that failed or are quarantined, and of which nobody has said that nothing is to be had of them. What did not succeed starts anew, at the stage that it ended in: as the
-- archive tells, or, where the job has left it, as the results do.
with again as (
  update civicum.document d set ended = null, ended_at = null
  from civicum.document was
  where was.id = d.id and d.deleted_at is null and d.ended is not null
    and (d.id = $1 and d.ended <> 'done' or $1 is null and d.ended in ('failed', 'quarantined')
      and not exists (select from civicum.said(was.id, was.ended_at)))
  returning d.id, d.schema, was.ended_at, d.submitted_at
), last as (
  select again.id as document_id, again.submitted_at, again.schema, a.id, a.queue, a.priority, a.max_attempts, a.max_crashes, a.created_at, a.finished_at
  from again left join lateral (
    select * from civicum.job_archive where document_id = again.id and finished_at = again.ended_at order by id desc limit 1
  ) a on true
), gone as (
  delete from civicum.job_archive a using last where a.id = last.id and a.finished_at = last.finished_at
), job as (
  insert into civicum.job (id, queue, document_id, priority, max_attempts, max_crashes, created_at) overriding system value
  select coalesce(last.id, nextval('civicum.job_id_seq')),
    coalesce(last.queue, case when last.schema is not null and exists (
      select from civicum.result r where r.document_id = last.document_id and r.stage = 'ocr') then 'extract' else 'ocr' end),
    last.document_id, coalesce(last.priority, 0), coalesce(last.max_attempts, 5), coalesce(last.max_crashes, 2),
    coalesce(last.created_at, last.submitted_at)
  from last
  returning id
)
select count(pg_notify('civicum_job', '')) from job
