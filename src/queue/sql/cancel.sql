-- $1 document. What waits goes to the archive; what runs is asked to end, and its worker told. Where there was neither, and the document
-- is open all the same, it was just on its way from one stage to the next.
with waiting as (
  delete from civicum.job where document_id = $1 and status = 'pending' returning *
), archived as (
  insert into civicum.job_archive (id, queue, state, document_id, priority, attempt, max_attempts, crashes, max_crashes,
    last_error, created_at, started_at)
  select id, queue, 'cancelled', document_id, priority, attempt, max_attempts, crashes, max_crashes, last_error, created_at, started_at
  from waiting
), ended as (
  update civicum.document d set ended = 'cancelled', ended_at = now() from waiting where d.id = waiting.document_id
), asked as (
  update civicum.job set cancel_requested = true where document_id = $1 and status = 'running' returning id
)
select (select count(*) from waiting) as cancelled, (select count(pg_notify('civicum_cancel', '')) from asked) as asked,
  exists (select from civicum.document where id = $1 and ended is null) as is_open
