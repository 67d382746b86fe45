{{ relation_of('alias', 'aliases') }}
