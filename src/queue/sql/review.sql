-- $1 document, $2 verdict, $3 who, $4 a note, or null. What is done can be accepted or rejected, and so can what was reviewed before;
-- of what failed there is nothing to accept. Says what state it was in, and whether the review was taken down.
with was as materialized (
  select d.id, d.ended, case when d.deleted_at is not null then 'deleted' when d.ended is null then 'queued' else coalesce(r.verdict, d.ended) end as state
  from civicum.document d left join lateral civicum.said(d.id, d.ended_at) r on true
  where d.id = $1 for update of d
), made as (
  insert into civicum.review (document_id, verdict, reviewer, note)
  select id, $2, $3, $4 from was
  where state <> 'deleted' and (ended = 'done' or ended in ('failed', 'quarantined') and $2 = 'rejected')
  returning document_id
)
select was.state, exists (select from made) as taken from was
