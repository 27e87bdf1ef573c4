-- $1 document, $2 verdict, $3 who, $4 a note, or null. What is done can be accepted or rejected, and so can what was reviewed before;
-- of what failed there is nothing to accept. Says what state it was in, and whether the review was taken down.
with was as materialized (
  select d.id, coalesce(o.state, 'queued') as state from civicum.document d left join lateral civicum.outcome(d.id) o on true
  where d.id = $1 for update of d
), made as (
  insert into civicum.review (document_id, verdict, reviewer, note)
  select id, $2, $3, $4 from was
  where (state in ('done', 'accepted') or state in ('failed', 'quarantined', 'rejected') and $2 = 'rejected'
    or state = 'rejected' and exists (select from civicum.result r where r.document_id = id))
  returning document_id
)
select was.state, exists (select from made) as taken from was
