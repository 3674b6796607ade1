-- every selection that was made; one nameless row where none was made yet
select distinct subset from rules
union all
select '' as subset where not exists (select 1 from rules)
