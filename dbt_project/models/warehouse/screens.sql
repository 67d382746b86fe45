{{ relation_of('screen', 'screens') }}
