{{ first_copies('screen') }}
