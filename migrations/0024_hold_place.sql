-- Another migration has this number.
select 1;
