-- $1 document, or null for all that are dead or quarantined. The newest job of each that did not succeed starts anew.
with last as (
  select distinct on (document_id) id, document_id, state, finished_at from civicum.job_archive
  where document_id = $1 or $1 is null
  order by document_id, id desc, finished_at desc
), gone as (
  delete from civicum.job_archive a using last
  where a.id = last.id and a.finished_at = last.finished_at and last.state <> 'done'
    and ($1 is not null or last.state in ('dead', 'quarantined'))
    and not exists (select from civicum.job j where j.document_id = a.document_id)
    and exists (select from civicum.document d where d.id = a.document_id and d.deleted_at is null)
  returning a.*
), again as (
  insert into civicum.job (id, queue, document_id, priority, max_attempts, max_crashes, created_at) overriding system value
  select id, queue, document_id, priority, max_attempts, max_crashes, created_at from gone
  returning id
)
select count(pg_notify('civicum_job', '')) from again
