-- How and when a document's work ended stands at the document itself: the archive forgets, and a document must not change by that.

alter table civicum.document add column ended text check (ended in ('done', 'failed', 'quarantined', 'cancelled'));
alter table civicum.document add column ended_at timestamptz check ((ended is null) = (ended_at is null));
-- Lists by state, and what is still open.
create index document_ended on civicum.document (ended, id) where deleted_at is null;
create index document_open on civicum.document (id) where ended is null;
drop index civicum.document_kept;
create index document_kept on civicum.document (ended_at) where deleted_at is null;

-- When its session began that holds the lock: one that the server itself ended, by its own start, is no worker's end.
alter table civicum.worker add column held_at timestamptz;
-- The worker whose end is counted in `crashes`: where he comes back, it was none.
alter table civicum.job add column lost_by integer;

-- Fills in what is missing: documents of the time before these columns, and those that a program of that time finished since.
create function civicum.keep_ends() returns void language sql as $$
  update civicum.document d set ended = found.state, ended_at = found.at
  from (
    select o.id, coalesce(a.finished_at, (select max(x.made_at) from civicum.result x where x.document_id = o.id), o.submitted_at) as at,
      case
        when a.state = 'dead' then 'failed'
        when a.state is not null then a.state
        -- Its jobs have left the archive: what was asked for is there, or is not.
        when exists (select from civicum.result x where x.document_id = o.id
                     and x.stage = case when o.schema is null then 'ocr' else 'extract' end) then 'done'
        else 'failed'
      end as state
    from civicum.document o
    left join lateral (select * from civicum.job_archive where document_id = o.id order by id desc, finished_at desc limit 1) a on true
    where o.ended is null and not exists (select from civicum.job j where j.document_id = o.id)
  ) as found
  where d.id = found.id and d.ended is null
$$;
select civicum.keep_ends();

-- What people said of a document since its work ended: what was said of an attempt before is not said of this one.
create function civicum.said(document bigint, since timestamptz) returns setof civicum.review language sql stable as $$
  select * from civicum.review where document_id = document and made_at >= since order by id desc limit 1
$$;
drop function civicum.outcome(bigint);

drop function civicum.give_back(bigint[], integer[], text, boolean, boolean);
-- As before, and the document is told its end. `lost`: its worker is gone, and may turn out not to be.
create function civicum.give_back(ids bigint[], fences integer[], error text, again boolean, crash boolean, lost boolean default false)
returns table (job_id bigint, became text) language sql as $$
  with mine as materialized (
    select j.id, j.crashes + crash::integer as crashes,
      case
        when j.cancel_requested then 'cancelled'
        when crash and j.crashes + 1 >= j.max_crashes then 'quarantined'
        when not again or j.attempt >= j.max_attempts then 'dead'
        else 'pending'
      end as becomes
    from unnest(ids, fences) as claim (id, fence) join civicum.job j on j.id = claim.id and j.fence = claim.fence
    where j.status = 'running'
    order by j.id
    for update of j
  ), waits as (
    update civicum.job j
    set status = 'pending', worker_id = null, lease_until = null, deadline = null, crashes = mine.crashes,
      lost_by = case when crash and lost then j.worker_id else j.lost_by end,
      progress_done = 0, progress_total = 0, last_error = error,
      -- 5 s, 10 s, 20 s, … to an hour, by half more or less, so that what failed together does not come back together.
      run_at = now() + least(interval '1 hour', interval '5 s' * power(2, least(j.attempt - 1, 10))) * (0.5 + random())
    from mine where j.id = mine.id and mine.becomes = 'pending'
    returning j.id
  ), gone as (
    delete from civicum.job j using mine where j.id = mine.id and mine.becomes <> 'pending'
    returning j.*, mine.becomes, mine.crashes as crashed
  ), archived as (
    insert into civicum.job_archive (id, queue, state, document_id, priority, attempt, max_attempts, crashes, max_crashes,
      last_error, created_at, started_at)
    select id, queue, becomes, document_id, priority, attempt, max_attempts, crashed, max_crashes, error, created_at, started_at
    from gone
  ), ended as (
    update civicum.document d set ended = case gone.becomes when 'dead' then 'failed' else gone.becomes end, ended_at = now()
    from gone where d.id = gone.document_id
  )
  select id, becomes from mine
$$;
