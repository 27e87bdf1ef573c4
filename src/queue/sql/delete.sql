-- $1 document whose work has ended. Its row loses what it says of the document at once; its files go with the next look.
with gone as (
  update civicum.document d
  set deleted_at = now(), name = '', request_key = null,
    deleted_unreviewed = d.ended <> 'cancelled' and not exists (select from civicum.said(d.id, d.ended_at))
  where d.id = $1 and d.ended is not null and d.deleted_at is null
  returning d.id, d.sha256
), results as (
  delete from civicum.result r using gone where r.document_id = gone.id returning r.sha256
), notes as (
  update civicum.review r set note = null from gone where r.document_id = gone.id
), files as (
  insert into civicum.trash (sha256) select sha256 from gone union select sha256 from results
  on conflict (sha256) do nothing
)
select count(*) from gone
