-- Storing usage posts to some ten thousand leases a second. It marks their accounts itself, all in one statement: a trigger
-- that does so for each of them took a third of the time.

-- Raised by whoever adds the mark of what he settles (`budget_account_unseen`) himself. Of any other change, the trigger does.
alter table budget_lease add column marked bigint not null default 0;
drop trigger budget_settled_made on budget_lease;
create trigger budget_settled_made after insert on budget_lease for each row
    when (new.settled <> 0 and new.marked = 0) execute function budget_lease_mark();
drop trigger budget_settled_changed on budget_lease;
create trigger budget_settled_changed after update of settled on budget_lease for each row
    when (new.settled <> old.settled and new.marked = old.marked) execute function budget_lease_mark();
