-- $1 job, $2 fence, $3 SHA-256 of the result, $4 its bytes, $5 findings, $6 the stage that comes next, if any.
-- Where somebody wants it cancelled, nothing comes next. All of it or nothing; a claim that is not the newest finishes nothing.
-- A result that nobody may need any more, this one where it came too late, or the one before, is looked at later.
with gone as (
  delete from civicum.job where id = $1 and fence = $2 and status = 'running'
  returning *, case when cancel_requested and $6::text is not null then 'cancelled' else 'done' end as became
), archived as (
  insert into civicum.job_archive (id, queue, state, document_id, priority, attempt, max_attempts, crashes, max_crashes,
    last_error, created_at, started_at)
  select id, queue, became, document_id, priority, attempt, max_attempts, crashes, max_crashes, null, created_at, started_at
  from gone
), ended as (
  update civicum.document d set ended = gone.became, ended_at = now()
  from gone where d.id = gone.document_id and ($6::text is null or gone.cancel_requested)
), unneeded as (
  insert into civicum.trash (sha256)
  select r.sha256 from civicum.result r join gone on r.document_id = gone.document_id and r.stage = gone.queue and r.sha256 <> $3
  union all select $3 where not exists (select from gone)
  on conflict (sha256) do nothing
), kept as (
  insert into civicum.result (document_id, stage, sha256, bytes, findings)
  select document_id, queue, $3, $4, $5 from gone
  on conflict (document_id, stage) do update
    set sha256 = excluded.sha256, bytes = excluded.bytes, findings = excluded.findings, made_at = now()
), next as (
  insert into civicum.job (queue, document_id, priority) select $6::text, document_id, priority from gone where $6::text is not null and not cancel_requested
  returning id
)
select (select count(*) from gone) as finished, (select count(pg_notify('civicum_job', '')) from next) as told
