-- $1 document. What waits goes to the archive; what runs is asked to end, and its worker told.
with waiting as (
  delete from civicum.job where document_id = $1 and status = 'pending' returning *
), archived as (
  insert into civicum.job_archive (id, queue, state, document_id, priority, attempt, max_attempts, crashes, max_crashes,
    last_error, created_at, started_at)
  select id, queue, 'cancelled', document_id, priority, attempt, max_attempts, crashes, max_crashes, last_error, created_at, started_at
  from waiting
), asked as (
  update civicum.job set cancel_requested = true where document_id = $1 and status = 'running' returning id
)
select (select count(*) from waiting) as cancelled, (select count(pg_notify('civicum_cancel', '')) from asked) as asked
